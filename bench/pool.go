// krait-bench-go ROW AMOUNT WORKERS - the rows of pools with goroutines: prints NS P99.
// For the rows of meeting points, which are in meet.go, NS and max/min.
//
// SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const fibCalls = 635621

func task(arg uint64, rounds int) uint64 {
	x := arg + 1
	for i := 0; i < rounds; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

func must(good bool, what string) {
	if !good {
		fmt.Fprintln(os.Stderr, "krait-bench-go:", what, "is wrong")
		os.Exit(1)
	}
}

func submit(results []uint64, rounds int) uint64 {
	var group sync.WaitGroup
	group.Add(len(results))
	for i := range results {
		go func(i int) {
			results[i] = task(uint64(i), rounds)
			group.Done()
		}(i)
	}
	group.Wait()
	sum := uint64(0)
	for _, result := range results {
		sum += result
	}
	return sum
}

func tasks(amount int, rounds int) (float64, float64) {
	results := make([]uint64, amount)
	expected := uint64(0)
	for i := range results {
		expected += task(uint64(i), rounds)
	}
	must(submit(results, rounds) == expected, "the first round's sum")
	begun := time.Now()
	sum := submit(results, rounds)
	taken := time.Since(begun)
	must(sum == expected, "the sum")
	return float64(taken.Nanoseconds()) / float64(amount), 0
}

func fibBoth(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	var left, right uint64
	var group sync.WaitGroup
	group.Add(2)
	go func() {
		left = fibBoth(n - 1)
		group.Done()
	}()
	go func() {
		right = fibBoth(n - 2)
		group.Done()
	}()
	group.Wait()
	return left + right
}

func fibOne(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	var left uint64
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		left = fibOne(n - 1)
		group.Done()
	}()
	right := fibOne(n - 2)
	group.Wait()
	return left + right
}

// A future is a channel with room for its one result.
func fibFuture(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	left, right := make(chan uint64, 1), make(chan uint64, 1)
	go func() { left <- fibFuture(n - 1) }()
	go func() { right <- fibFuture(n - 2) }()
	return <-left + <-right
}

func fib(n int, kind func(int) uint64) (float64, float64) {
	must(kind(20) == 6765, "fib(20)")
	begun := time.Now()
	result := kind(n)
	taken := time.Since(begun)
	must(result == 196418, "fib(27)")
	return float64(taken.Nanoseconds()) / fibCalls, 0
}

func trip(arg uint64) {
	back := make(chan uint64, 1)
	go func() { back <- task(arg, 0) }()
	must(<-back == arg+1, "the result of a round trip")
}

func hotTrips(milliseconds int) (float64, float64) {
	for i := 0; i < 500; i++ {
		trip(uint64(i))
	}
	most := time.Duration(milliseconds) * time.Millisecond
	begun := time.Now()
	made := 0
	for time.Since(begun) < most {
		for i := 0; i < 50; i++ {
			trip(uint64(made))
			made++
		}
	}
	return float64(time.Since(begun).Nanoseconds()) / float64(made), 0
}

func idleTrips(amount int) (float64, float64) {
	taken := make([]float64, amount)
	for i := 0; i < 50; i++ {
		trip(uint64(i))
	}
	for i := range taken {
		time.Sleep(time.Millisecond)
		begun := time.Now()
		trip(uint64(i))
		taken[i] = float64(time.Since(begun).Nanoseconds())
	}
	sort.Float64s(taken)
	return taken[amount/2], taken[amount*99/100]
}

func measure(row string, amount int) (float64, float64) {
	switch {
	case row == "submit1m" || strings.HasPrefix(row, "crowd-empty"):
		return tasks(amount, 0)
	case strings.HasPrefix(row, "crowd-work"):
		return tasks(amount, 12000)
	case row == "fib27-group":
		return fib(amount, fibBoth)
	case row == "fib27-spawn-one":
		return fib(amount, fibOne)
	case row == "fib27-future":
		return fib(amount, fibFuture)
	case row == "rtt-inline":
		return hotTrips(amount)
	case row == "rtt-idle":
		return idleTrips(amount)
	}
	must(false, row)
	return 0, 0
}

func main() {
	must(len(os.Args) == 4, "usage: krait-bench-go ROW AMOUNT WORKERS:")
	amount, _ := strconv.Atoi(os.Args[2])
	workers, _ := strconv.Atoi(os.Args[3])
	if os.Args[1] == "echo" {
		serveEcho()
	}
	if isCoroutine(os.Args[1]) {
		fmt.Println(measureCoroutine(os.Args[1], amount), 0)
		return
	}
	if isMeeting(os.Args[1]) { // placed from outside
		ns, unfair := measureMeeting(os.Args[1], amount, workers)
		fmt.Println(ns, unfair)
		return
	}
	runtime.GOMAXPROCS(workers)
	ns, p99 := measure(os.Args[1], amount)
	fmt.Println(ns, p99)
}
