package sandgate

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

//go:wasmimport sandgate:gateway/broker@0.1.0 publish
func hostPublish(properties unsafe.Pointer, count uint32, content unsafe.Pointer, size uint32, result unsafe.Pointer)

// Why a message was not published, besides that it cannot be or is too large.
var (
	ErrNotStarted   = errors.New("the message was not published: that is possible from Start on, not while the module is made")
	ErrDisconnected = errors.New("the message was not published: no gateway is connected")
	ErrCongested    = errors.New("the message was not published: the gateway did not take messages in time")
)

// publishResult is where the host writes what came of it: whether it failed, how, and the text or the limit.
type publishResult struct {
	failed  uint8
	_       [7]byte
	reason  uint8
	_       [7]byte
	payload text
}

// Publish sends the message under this module's name, to the modules that the gateway's links name. It waits while
// the queue to the gateway is full.
func (m *Message) Publish() error {
	properties := make([]property, 0, len(m.Properties))
	for key, value := range m.Properties {
		properties = append(properties, property{textOf(key), textOf(value)})
	}
	result := new(publishResult)
	hostPublish(
		unsafe.Pointer(unsafe.SliceData(properties)), uint32(len(properties)),
		unsafe.Pointer(unsafe.SliceData(m.Content)), uint32(len(m.Content)), unsafe.Pointer(result),
	)
	runtime.KeepAlive(m)
	if result.failed == 0 {
		return nil
	}
	switch result.reason {
	case 0:
		reason := result.payload.String()
		taken()
		return fmt.Errorf("the message was not published: %s", reason)
	case 1:
		limit := uint64(result.payload.at) | uint64(result.payload.size)<<32
		return fmt.Errorf("the message was not published: it is larger than the limit of %d bytes", limit)
	case 2:
		return ErrNotStarted
	case 3:
		return ErrDisconnected
	default:
		return ErrCongested
	}
}
