// Package timers lets a module be called again later. Only a module that imports it exports what a timer calls.
package timers

import (
	"errors"
	"time"
	"unsafe"

	"sandgate.example/sandgate"
)

//go:wasmimport sandgate:gateway/timers@0.1.0 every
func hostEvery(milliseconds uint64, result unsafe.Pointer)

//go:wasmimport sandgate:gateway/timers@0.1.0 after
func hostAfter(milliseconds uint64, result unsafe.Pointer)

//go:wasmimport sandgate:gateway/timers@0.1.0 cancel
func hostCancel(timer uint64)

// Timer names a timer of this module.
type Timer uint64

// Why there is no timer.
var (
	ErrTooMany    = errors.New("there is no timer: the module has as many as it may")
	ErrZeroPeriod = errors.New("there is no timer: its period must be 1 ms or more")
)

// due is what a timer does when its time has come.
type due struct {
	do   func(Timer)
	once bool
}

var timers = map[Timer]due{}

// Every does something each time that a period has passed, the first time after the first. A time that comes while an
// earlier one still waits is skipped. Whole milliseconds count.
func Every(period time.Duration, do func(Timer)) (Timer, error) {
	return set(hostEvery, period, due{do: do})
}

// After does something once, after a while.
func After(delay time.Duration, do func(Timer)) (Timer, error) {
	return set(hostAfter, delay, due{do: do, once: true})
}

// Cancel ends the timer. One that is over is ignored.
func (t Timer) Cancel() {
	delete(timers, t)
	hostCancel(uint64(t))
}

func set(ask func(uint64, unsafe.Pointer), time time.Duration, due due) (Timer, error) {
	// Whether it failed, and the timer or why.
	result := new([2]uint64)
	ask(uint64(max(0, time.Milliseconds())), unsafe.Pointer(result))
	if result[0]&0xFF != 0 {
		// The case `no-handler` cannot be: it is below.
		if result[1]&0xFF == 1 {
			return 0, ErrTooMany
		}
		return 0, ErrZeroPeriod
	}
	timer := Timer(result[1])
	timers[timer] = due
	return timer, nil
}

//go:wasmexport sandgate:gateway/timer-handler@0.1.0#on-timer
func exportedOnTimer(number uint64) {
	timer := Timer(number)
	if due, ok := timers[timer]; ok {
		if due.once {
			delete(timers, timer)
		}
		due.do(timer)
	}
	sandgate.Collect()
}
