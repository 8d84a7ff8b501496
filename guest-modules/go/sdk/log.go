package sandgate

import (
	"context"
	"log/slog"
	"strings"
	"unsafe"
)

//go:wasmimport sandgate:gateway/log@0.1.0 log
func hostLog(level uint32, text unsafe.Pointer, size uint32)

// From the most to the least talkative, as the contract numbers them.
const (
	levelTrace = iota
	levelDebug
	levelInfo
	levelWarn
	levelError
)

func init() {
	slog.SetDefault(slog.New(logHandler{}))
}

// logHandler writes records to the host's log, which has the time and the level itself.
type logHandler struct {
	// What With and WithGroup did, in order.
	steps []func(slog.Handler) slog.Handler
}

func (logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h logHandler) Handle(ctx context.Context, record slog.Record) error {
	var attributes strings.Builder
	var text slog.Handler = slog.NewTextHandler(&attributes, &slog.HandlerOptions{
		Level: slog.LevelDebug - 100,
		ReplaceAttr: func(groups []string, attribute slog.Attr) slog.Attr {
			isOwn := attribute.Key == slog.TimeKey || attribute.Key == slog.LevelKey || attribute.Key == slog.MessageKey
			if len(groups) == 0 && isOwn {
				return slog.Attr{}
			}
			return attribute
		},
	})
	for _, step := range h.steps {
		text = step(text)
	}
	if err := text.Handle(ctx, record); err != nil {
		return err
	}
	line := strings.TrimSpace(record.Message + " " + attributes.String())
	hostLog(hostLevel(record.Level), unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
	return nil
}

func (h logHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return h.with(func(text slog.Handler) slog.Handler { return text.WithAttrs(attributes) })
}

func (h logHandler) WithGroup(name string) slog.Handler {
	return h.with(func(text slog.Handler) slog.Handler { return text.WithGroup(name) })
}

func (h logHandler) with(step func(slog.Handler) slog.Handler) slog.Handler {
	return logHandler{append(h.steps[:len(h.steps):len(h.steps)], step)}
}

func hostLevel(level slog.Level) uint32 {
	switch {
	case level < slog.LevelDebug:
		return levelTrace
	case level < slog.LevelInfo:
		return levelDebug
	case level < slog.LevelWarn:
		return levelInfo
	case level < slog.LevelError:
		return levelWarn
	default:
		return levelError
	}
}
