package sandgate

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"unsafe"
)

// lent is what the host was given to write to and no call has taken yet. The host knows these places as numbers alone,
// which keep nothing from the collector.
var lent [][]uint64

// early serves WASI's adapter, which asks for two pages while Go's runtime itself begins and cannot allocate yet.
var (
	early     [256 << 10]byte
	earlyUsed uintptr
)

func init() {
	// A collection asks WASI for the time, and nothing may be asked from within cabi_realloc: so none begins by itself,
	// and Collect is called between calls.
	debug.SetGCPercent(-1)
}

//go:wasmexport cabi_realloc_adapter
func reallocateForAdapter(_ unsafe.Pointer, _, align, size uintptr) unsafe.Pointer {
	start := (earlyUsed + align - 1) &^ (align - 1)
	earlyUsed = start + size
	return unsafe.Pointer(&early[start : start+size][0])
}

// The host calls it for memory that it writes texts and contents to; it never makes an old one larger.
//
//go:wasmexport cabi_realloc
func reallocate(_ unsafe.Pointer, _, align, size uintptr) unsafe.Pointer {
	if size == 0 {
		return unsafe.Pointer(align)
	}
	// Aligned for all that the contract has.
	words := make([]uint64, (size+7)/8)
	lent = append(lent, words)
	return unsafe.Pointer(unsafe.SliceData(words))
}

// textAt is a text that the host wrote. It is shared, not copied.
func textAt(at unsafe.Pointer, size uint32) string {
	if size == 0 {
		return ""
	}
	return unsafe.String((*byte)(at), size)
}

// bytesAt is the same for bytes.
func bytesAt(at unsafe.Pointer, size uint32) []byte {
	if size == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(at), size)
}

// taken says that all that the host wrote has been turned into Go's own values.
func taken() {
	clear(lent)
	lent = lent[:0]
}

// smallestHeap is how much is allocated at least before a collection is worth it.
const smallestHeap = 512 << 10

var (
	counted    = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	allocated  uint64
	collection = uint64(smallestHeap)
)

// Collect frees what is no longer used, if as much has been allocated as was in use after the last time. It is called
// after each call of the host; a module whose single calls allocate hundreds of megabytes calls it too.
func Collect() {
	metrics.Read(counted)
	if counted[0].Value.Uint64()-allocated < collection {
		return
	}
	runtime.GC()
	metrics.Read(counted)
	allocated = counted[0].Value.Uint64()
	collection = max(smallestHeap, counted[1].Value.Uint64())
}
