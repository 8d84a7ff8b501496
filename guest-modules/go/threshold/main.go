// Moving average of a number in JSON messages, with an alert above a threshold.
//
// args: `pointer`, the JSON pointer of the number in a message's content; `window`, over how many messages to average;
// `above`, the threshold. What is published has the incoming message's properties, `average` and `alert` (`true` or
// `false`), and as content {"value": …, "average": …, "above": …}.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"sandgate.example/sandgate"
)

const example = `{"pointer": "/cpu/usage", "window": 5, "above": 0.8}`

// Keeps a mistyped window from filling the sandbox's memory.
const largestWindow = 100_000

type args struct {
	Pointer string  `json:"pointer"`
	Window  uint64  `json:"window"`
	Above   float64 `json:"above"`
}

type threshold struct {
	args
	numbers []float64
}

func create(args args) (sandgate.Module, error) {
	if args.Pointer != "" && !strings.HasPrefix(args.Pointer, "/") {
		return nil, fmt.Errorf("args.pointer: found %s, wanted a JSON pointer, which begins with `/`", args.Pointer)
	}
	if args.Window == 0 || args.Window > largestWindow {
		return nil, fmt.Errorf("args.window: found %d, wanted a number of messages from 1 to %d", args.Window, largestWindow)
	}
	return &threshold{args: args}, nil
}

func (t *threshold) Receive(message *sandgate.Message, _ sandgate.Delivery) error {
	value, err := t.numberIn(message.Content)
	if err != nil {
		return err
	}
	average := t.averaged(value)
	message.Properties["average"] = strconv.FormatFloat(rounded(average), 'f', -1, 64)
	message.Properties["alert"] = strconv.FormatBool(average > t.Above)
	message.Content, err = json.Marshal(struct {
		Value   float64 `json:"value"`
		Average float64 `json:"average"`
		Above   float64 `json:"above"`
	}{rounded(value), rounded(average), t.Above})
	if err != nil {
		return err
	}
	return message.Publish()
}

func (t *threshold) numberIn(content []byte) (float64, error) {
	var value any
	if err := json.Unmarshal(content, &value); err != nil {
		return 0, fmt.Errorf("the content is no JSON: %w", err)
	}
	value, ok := at(value, t.Pointer)
	if !ok {
		return 0, fmt.Errorf("%s: the content has nothing there", t.Pointer)
	}
	number, ok := value.(float64)
	if !ok {
		found, _ := json.Marshal(value)
		return 0, fmt.Errorf("%s: found %s, wanted a number", t.Pointer, found)
	}
	return number, nil
}

// at is what a JSON pointer leads to.
func at(value any, pointer string) (any, bool) {
	if pointer == "" {
		return value, true
	}
	unescaped := strings.NewReplacer("~1", "/", "~0", "~")
	for _, step := range strings.Split(pointer[1:], "/") {
		key, ok := unescaped.Replace(step), false
		switch within := value.(type) {
		case map[string]any:
			value, ok = within[key]
		case []any:
			index, err := strconv.ParseUint(key, 10, 32)
			ok = err == nil && index < uint64(len(within)) && strconv.FormatUint(index, 10) == key
			if ok {
				value = within[index]
			}
		}
		if !ok {
			return nil, false
		}
	}
	return value, true
}

func (t *threshold) averaged(number float64) float64 {
	if uint64(len(t.numbers)) == t.Window {
		t.numbers = t.numbers[1:]
	}
	t.numbers = append(t.numbers, number)
	// Summed anew each time: a running sum would keep the rounding errors of numbers long gone.
	sum := 0.0
	for _, number := range t.numbers {
		sum += number
	}
	return sum / float64(len(t.numbers))
}

// rounded has four digits after the point: more would only be noise to whoever reads it.
func rounded(number float64) float64 {
	scaled := math.Round(number * 10_000)
	if math.IsInf(scaled, 0) {
		return number
	}
	return scaled / 10_000
}

func init() { sandgate.Export(example, create) }

func main() {}
