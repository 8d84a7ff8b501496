package sandgate

import "unsafe"

// What the host calls, as the canonical ABI flattens it. A result that does not fit into a number is written to
// memory, and stays there until the next call.

// answer is such a result: its case and, behind it, the text of an error.
var answer [4]uint32

// kept is the text that the last answer points to.
var kept string

// property is a pair of texts as the host writes and reads it.
type property struct {
	key, value text
}

// text is where a text is, in the 32 bits that the host knows; a pointer in Go has 64.
type text struct {
	at, size uint32
}

func textOf(s string) text {
	return text{uint32(uintptr(unsafe.Pointer(unsafe.StringData(s)))), uint32(len(s))}
}

func (t text) String() string { return textAt(pointer(t.at), t.size) }

// pointer is one to a place that the host names. The memory that it leads to is in lent.
func pointer(at uint32) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&[2]uint32{at, 0}))
}

//go:wasmexport sandgate:gateway/module@0.1.0#create
func exportedCreate(configuration unsafe.Pointer, size uint32) unsafe.Pointer {
	args := textAt(configuration, size)
	taken()
	made, err := create(args)
	module = made
	answer = [4]uint32{}
	if err != nil {
		kept = err.Error()
		// The first case of module-error: the configuration cannot be used.
		answer = [4]uint32{1, 0, textOf(kept).at, textOf(kept).size}
	}
	Collect()
	return unsafe.Pointer(&answer)
}

//go:wasmexport sandgate:gateway/module@0.1.0#start
func exportedStart() {
	if starter, ok := module.(Starter); ok {
		starter.Start()
	}
	Collect()
}

//go:wasmexport sandgate:gateway/module@0.1.0#receive
func exportedReceive(
	properties unsafe.Pointer, count uint32, content unsafe.Pointer, size uint32,
	hasSource uint32, source unsafe.Pointer, sourceSize uint32, attempt uint32,
) unsafe.Pointer {
	message := Message{Properties: make(map[string]string, count), Content: bytesAt(content, size)}
	if count > 0 {
		for _, property := range unsafe.Slice((*property)(properties), count) {
			message.Properties[property.key.String()] = property.value.String()
		}
	}
	delivery := Delivery{Attempt: attempt}
	if hasSource != 0 {
		delivery.Source = textAt(source, sourceSize)
	}
	taken()
	err := module.Receive(&message, delivery)
	answer = [4]uint32{}
	if err != nil {
		kept = err.Error()
		answer = [4]uint32{1, textOf(kept).at, textOf(kept).size}
	}
	message = Message{}
	Collect()
	return unsafe.Pointer(&answer)
}

//go:wasmexport sandgate:gateway/module@0.1.0#destroy
func exportedDestroy() {
	if destroyer, ok := module.(Destroyer); ok {
		destroyer.Destroy()
	}
}
