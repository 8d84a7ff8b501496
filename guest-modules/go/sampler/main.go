// A source: publishes a numbered message on a timer.
//
// args: `interval.ms`, the time between two messages; `text`, their content; `count`, after how many to stop (never,
// where it is missing). Property `n` of a message is its number, from 1.
package main

import (
	"errors"
	"log/slog"
	"strconv"
	"time"

	"sandgate.example/sandgate"
	"sandgate.example/sandgate/timers"
)

const example = `{"interval.ms": 100, "text": "tick", "count": 10}`

type args struct {
	Interval uint64  `json:"interval.ms"`
	Text     string  `json:"text"`
	Count    *uint64 `json:"count"`
}

type sampler struct {
	args
	published uint64
}

func create(args args) (sandgate.Module, error) {
	if args.Interval == 0 {
		return nil, errors.New("args.interval.ms: found 0, wanted 1 or more milliseconds")
	}
	return &sampler{args: args}, nil
}

func (s *sampler) Start() {
	if s.isDone() {
		return
	}
	if _, err := timers.Every(time.Duration(s.Interval)*time.Millisecond, s.publish); err != nil {
		slog.Error(err.Error())
	}
}

func (s *sampler) publish(timer timers.Timer) {
	s.published++
	message := sandgate.Message{
		Properties: map[string]string{"n": strconv.FormatUint(s.published, 10)},
		Content:    []byte(s.Text),
	}
	if err := message.Publish(); err != nil {
		slog.Warn(err.Error())
	}
	if s.isDone() {
		timer.Cancel()
	}
}

func (s *sampler) isDone() bool { return s.Count != nil && s.published >= *s.Count }

func (s *sampler) Receive(*sandgate.Message, sandgate.Delivery) error {
	return errors.New("a sampler is a source and takes no messages: remove the link that leads to it")
}

func init() { sandgate.Export(example, create) }

func main() {}
