// The rows of meeting points with goroutines; see pool.go.
//
// SPDX-License-Identifier: MIT
package main

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Sixty-four bytes on a line of their own.
type line struct {
	values [8]uint64
}

func lockAlone(amount int) (float64, float64) {
	var mutex sync.Mutex
	stop := make(chan bool)
	go func() { <-stop }()
	begun := time.Now()
	for i := 0; i < amount; i++ {
		mutex.Lock()
		mutex.Unlock()
	}
	taken := time.Since(begun)
	stop <- true
	return float64(taken.Nanoseconds()) / float64(amount), 0
}

type contest struct {
	mutex   sync.Mutex
	_       [56]byte
	guarded line
	over    uint32
	_       [60]byte
	own     [16]line
}

func contend(all *contest, index int, duration time.Duration) {
	sections, random := uint64(0), uint64(index)+1
	begun := time.Now()
	for atomic.LoadUint32(&all.over) == 0 {
		all.mutex.Lock()
		for i := range all.guarded.values {
			all.guarded.values[i]++
		}
		all.mutex.Unlock()
		for i := 0; i < 20; i++ {
			random ^= random << 13
			random ^= random >> 7
			random ^= random << 17
		}
		sections++
		if sections%256 == 0 && time.Since(begun) >= duration {
			atomic.StoreUint32(&all.over, 1)
		}
	}
	all.own[index].values[0], all.own[index].values[1] = sections, random
}

func lockContended(milliseconds int, threads int) (float64, float64) {
	var group sync.WaitGroup
	all := new(contest)
	begun := time.Now()
	group.Add(threads)
	for i := 0; i < threads; i++ {
		go func(i int) {
			contend(all, i, time.Duration(milliseconds)*time.Millisecond)
			group.Done()
		}(i)
	}
	group.Wait()
	taken := time.Since(begun)
	sum, most, least := uint64(0), uint64(0), all.own[0].values[0]
	for i := 0; i < threads; i++ {
		sections := all.own[i].values[0]
		sum += sections
		if sections > most {
			most = sections
		}
		if sections < least {
			least = sections
		}
	}
	for _, value := range all.guarded.values {
		must(value == sum, "mutual exclusion")
	}
	if least == 0 {
		least = 1
	}
	return float64(taken.Nanoseconds()) / float64(sum), float64(most) / float64(least)
}

// A semaphore is a channel with room for its permits.
func semaphores(rounds int) (float64, float64) {
	ping, pong := make(chan struct{}, 1), make(chan struct{}, 1)
	begun := time.Now()
	go func() {
		for i := 0; i < rounds; i++ {
			<-ping
			pong <- struct{}{}
		}
	}()
	for i := 0; i < rounds; i++ {
		ping <- struct{}{}
		<-pong
	}
	return float64(time.Since(begun).Nanoseconds()) / float64(rounds), 0
}

func conditions(rounds int) (float64, float64) {
	var mutex sync.Mutex
	var group sync.WaitGroup
	changed := sync.NewCond(&mutex)
	whose := 0
	begun := time.Now()
	group.Add(2)
	for index := 0; index < 2; index++ {
		go func(index int) {
			for i := 0; i < rounds; i++ {
				mutex.Lock()
				for whose != index {
					changed.Wait()
				}
				whose = 1 - index
				changed.Signal()
				mutex.Unlock()
			}
			group.Done()
		}(index)
	}
	group.Wait()
	return float64(time.Since(begun).Nanoseconds()) / float64(rounds), 0
}

// The others hand over a pointer; a number of the same size costs a channel the same.
func channel(amount int, threads int) (float64, float64) {
	pairs := threads / 2
	items := amount / pairs
	queue := make(chan uintptr, 1024)
	sums := make([]line, pairs)
	var group sync.WaitGroup
	begun := time.Now()
	group.Add(2 * pairs)
	for pair := 0; pair < pairs; pair++ {
		go func(pair int) {
			for i := 0; i < items; i++ {
				queue <- uintptr(pair*items + i + 1)
			}
			group.Done()
		}(pair)
		go func(pair int) {
			sum := uint64(0)
			for i := 0; i < items; i++ {
				sum += uint64(<-queue)
			}
			sums[pair].values[0] = sum
			group.Done()
		}(pair)
	}
	group.Wait()
	taken := time.Since(begun)
	all, sum := uint64(items*pairs), uint64(0)
	for _, own := range sums {
		sum += own.values[0]
	}
	must(sum == all*(all+1)/2, "the sum of the items")
	return float64(taken.Nanoseconds()) / float64(all), 0
}

func isMeeting(row string) bool {
	return strings.HasPrefix(row, "lock.") || strings.HasPrefix(row, "queue.") ||
		strings.Contains(row, ".pingpong")
}

func measureMeeting(row string, amount int, workers int) (float64, float64) {
	switch {
	case strings.HasPrefix(row, "lock.uncontended"):
		return lockAlone(amount)
	case strings.HasPrefix(row, "lock."):
		return lockContended(amount, workers)
	case strings.HasPrefix(row, "semaphore."):
		return semaphores(amount)
	case strings.HasPrefix(row, "condition."):
		return conditions(amount)
	case strings.HasPrefix(row, "queue.bounded"):
		return channel(amount, workers)
	}
	must(false, row)
	return 0, 0
}
