// Adds properties to every message and passes the rest on unchanged.
//
// args is an object of texts, the properties to add: {"site": "lab"}. A single text becomes the property `annotation`.
// Property `annotated-by` is added in any case. A property that the message already has is replaced.
package main

import (
	"encoding/json"
	"fmt"

	"sandgate.example/sandgate"
)

type annotate struct {
	properties map[string]string
}

func create(args any) (sandgate.Module, error) {
	properties := map[string]string{"annotated-by": "annotate"}
	switch args := args.(type) {
	case nil:
	case string:
		properties["annotation"] = args
	case map[string]any:
		for key, value := range args {
			text, ok := value.(string)
			if !ok {
				return nil, notUsable("args."+key, value, "a text, in quotes")
			}
			properties[key] = text
		}
	default:
		return nil, notUsable("args", args, "an object of texts, or one text")
	}
	return &annotate{properties}, nil
}

func (a *annotate) Receive(message *sandgate.Message, _ sandgate.Delivery) error {
	for key, value := range a.properties {
		message.Properties[key] = value
	}
	return message.Publish()
}

func notUsable(key string, value any, wanted string) error {
	found, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: found %s, wanted %s", key, found, wanted)
}

func init() { sandgate.Export(`{"site": "lab"}`, create) }

func main() {}
