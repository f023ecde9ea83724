// The rows of coroutines with goroutines, on one processor of Go's as the others; see pool.go.
//
// SPDX-License-Identifier: MIT
package main

import (
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const batch = 100

func yields(amount int) float64 {
	var group sync.WaitGroup
	visits := 0
	group.Add(2)
	begun := time.Now()
	for i := 0; i < 2; i++ {
		go func() {
			for i := 0; i < amount/2; i++ {
				visits++
				runtime.Gosched()
			}
			group.Done()
		}()
	}
	group.Wait()
	must(visits == amount/2*2, "the yields")
	return float64(time.Since(begun).Nanoseconds())
}

func spawns(amount int) float64 {
	var results [batch]chan int
	for i := range results {
		results[i] = make(chan int, 1)
	}
	begun := time.Now()
	for i := 0; i < amount; i += batch {
		for _, result := range results {
			go func(number int, result chan int) { result <- number + 1 }(i, result)
		}
		for _, result := range results {
			must(<-result == i+1, "the result of a goroutine")
		}
	}
	return float64(time.Since(begun).Nanoseconds())
}

func channelTrips(amount int) float64 {
	there, back := make(chan int, 1), make(chan int, 1)
	go func() {
		for i := 0; i < amount; i++ {
			back <- <-there + 1
		}
	}()
	begun := time.Now()
	for i := 0; i < amount; i++ {
		there <- i
		must(<-back == i+1, "a number in a channel")
	}
	return float64(time.Since(begun).Nanoseconds())
}

func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	must(err == nil, "/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return float64(pages * os.Getpagesize())
}

func alive(amount int) float64 {
	var group, over sync.WaitGroup
	never := make(chan bool)
	before := resident()
	group.Add(amount)
	over.Add(amount)
	for i := 0; i < amount; i++ {
		go func() {
			group.Done()
			<-never
			over.Done()
		}()
	}
	group.Wait()
	taken := resident() - before
	close(never)
	over.Wait()
	return taken
}

func processorTime() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil, "getrusage")
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

// On as many threads as Go likes, as a program of Go's would.
func sleepers(amount int) float64 {
	const rounds = 10
	begun := 0.0
	for round := 0; round <= rounds; round++ {
		var group sync.WaitGroup
		if round == 1 {
			begun = processorTime()
		}
		group.Add(amount)
		for i := 0; i < amount; i++ {
			go func(us int) {
				time.Sleep(time.Duration(us) * time.Microsecond)
				group.Done()
			}(1000 + rand.Intn(9001))
		}
		group.Wait()
	}
	return (processorTime() - begun) / rounds
}

func isCoroutine(row string) bool {
	return strings.HasPrefix(row, "coroutine.") || strings.HasPrefix(row, "sleep.")
}

func measureCoroutine(row string, amount int) float64 {
	if row == "sleep.gather" {
		return sleepers(amount) / float64(amount)
	}
	runtime.GOMAXPROCS(1)
	switch row {
	case "coroutine.memory":
		return alive(amount) / float64(amount)
	case "coroutine.yield":
		return warm(yields, amount)
	case "coroutine.spawn":
		return warm(spawns, amount)
	case "coroutine.queue":
		return warm(channelTrips, amount)
	}
	must(false, row)
	return 0
}

func warm(operations func(int) float64, amount int) float64 {
	operations(amount/10 + 1)
	return operations(amount) / float64(amount)
}
