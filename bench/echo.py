"""echo.py: a server with asyncio's protocols, or with uvloop where KR_PEER says so, that listens on
a port of its own choice, prints it, and sends back what comes.

SPDX-License-Identifier: MIT
"""

import asyncio
import os


class Echo(asyncio.Protocol):
    transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def serve():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=1024)
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if os.environ.get("KR_PEER") == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(serve())
