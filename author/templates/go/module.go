// Marks every message with the name of this site, which is the module's args.
package main

import "sandgate.example/sandgate"

type module struct{ site string }

func create(site string) (sandgate.Module, error) { return &module{site}, nil }

func (m *module) Receive(message *sandgate.Message, _ sandgate.Delivery) error {
	message.Properties["site"] = m.site
	return message.Publish()
}

func init() { sandgate.Export(`"lab"`, create) }

func main() {}
