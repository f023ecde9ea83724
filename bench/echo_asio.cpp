// Echo by Boost.Asio with callbacks, in one thread.
//
// SPDX-License-Identifier: MIT
#include "echo.h"

#include <array>
#include <memory>
#include <utility> // which Asio forgets

#include <boost/asio.hpp>

namespace
{

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class connection : public std::enable_shared_from_this<connection>
{
  public:
    explicit connection(tcp::socket with) : socket(std::move(with))
    {
    }

    void read()
    {
        auto self = shared_from_this();
        socket.async_read_some(asio::buffer(bytes), [self](error_code error, std::size_t got) {
            if (!error)
                self->write(got);
        });
    }

  private:
    void write(std::size_t count)
    {
        auto self = shared_from_this();
        asio::async_write(socket, asio::buffer(bytes, count),
                          [self](error_code error, std::size_t) {
                              if (!error)
                                  self->read();
                          });
    }

    tcp::socket socket;
    std::array<char, ECHO_OWN_ROOM> bytes;
};

void accept_next(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](error_code error, tcp::socket socket) {
        if (!error)
            std::make_shared<connection>(std::move(socket))->read();
        accept_next(acceptor);
    });
}

} // namespace

void echo_asio(int listener)
{
    asio::io_context context(1); // no locks
    tcp::acceptor acceptor(context, tcp::v4(), listener);
    accept_next(acceptor);
    context.run();
}
