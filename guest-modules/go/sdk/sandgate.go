// Package sandgate is what a Sandgate module in Go is written with.
//
// A module is a type with Receive; Export makes a component of the program that has it:
//
//	type Site struct{ name string }
//
//	func (s *Site) Receive(message *sandgate.Message, _ sandgate.Delivery) error {
//		message.Properties["site"] = s.name
//		return message.Publish()
//	}
//
//	func init() {
//		sandgate.Export(`"lab"`, func(name string) (sandgate.Module, error) { return &Site{name}, nil })
//	}
//
//	func main() {}
//
// Lines of log/slog stand in the host's log. A panic ends the instance, with its stack in the verdict. Timers are in
// the package timers. There is one thread, and the host waits for each call: a goroutine runs only while a call does.
package sandgate

import "fmt"

// Message is what travels between modules.
type Message struct {
	// Properties have neither keys nor values with U+0000. Never nil in a message that was received.
	Properties map[string]string
	// Content is any bytes, also none.
	Content []byte
}

// Delivery is how a message came to be delivered.
type Delivery struct {
	// Source is the module that published it; empty where the channel does not tell.
	Source string
	// Attempt is 1 for the first delivery, one more for each repetition after a failure.
	Attempt uint32
}

// Module takes messages. The text of an error stands in the host's log, and the module lives on.
type Module interface {
	Receive(message *Message, delivery Delivery) error
}

// Starter is a module that does something when all modules are created and linked: from then on messages can be
// published.
type Starter interface {
	Start()
}

// Destroyer is a module that does something in the last call.
type Destroyer interface {
	Destroy()
}

// create makes the module from its configuration.
var create func(configuration string) (Module, error)

// module is the one of this component.
var module Module

// Export names the function that makes the module from its args, which are read into its parameter: a struct whose
// fields all must be there, except for pointers, or any other type. The example shows in the errors what would do.
// Called once, in an init function.
func Export[Args any](example string, make func(args Args) (Module, error)) {
	create = func(text string) (Module, error) {
		var args Args
		if err := readConfiguration(text, &args); err != nil {
			return nil, fmt.Errorf("%w; write for example %s", err, example)
		}
		module, err := make(args)
		if err != nil {
			return nil, fmt.Errorf("%w; write for example %s", err, example)
		}
		return module, nil
	}
}
