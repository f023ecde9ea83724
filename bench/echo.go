// The server of the rows echo.*, a goroutine a connection; see pool.go.
//
// SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"net"
	"runtime"
)

func serveOne(connection net.Conn) {
	bytes := make([]byte, 16*1024)
	for {
		got, err := connection.Read(bytes)
		if err != nil {
			break
		}
		if _, err = connection.Write(bytes[:got]); err != nil {
			break
		}
	}
	connection.Close()
}

func serveEcho() {
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err == nil, "the server's socket")
	fmt.Println("listening on", listener.Addr())
	for {
		connection, err := listener.Accept()
		must(err == nil, "accept")
		go serveOne(connection)
	}
}
