package sandgate

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// readConfiguration reads args into what the pointer leads to. A struct gets its keys one by one, each by its exact
// name, so that the error can name it.
func readConfiguration(text string, pointer any) error {
	value := reflect.ValueOf(pointer).Elem()
	if value.Kind() != reflect.Struct {
		return readValue("args", []byte(text), value)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &keys); err != nil || keys == nil {
		return fmt.Errorf("args: found %s, wanted an object", text)
	}
	for index := range value.NumField() {
		name := keyOf(value.Type().Field(index))
		raw, found := keys[name]
		delete(keys, name)
		optional := value.Field(index).Kind() == reflect.Pointer
		if !found && !optional {
			return fmt.Errorf("args: the key `%s` is missing", name)
		}
		if found {
			if err := readValue("args."+name, raw, value.Field(index)); err != nil {
				return err
			}
		}
	}
	for name := range keys {
		return fmt.Errorf("args.%s: there is no such key", name)
	}
	return nil
}

// keyOf is a field's name in JSON: that of its tag, if it has one.
func keyOf(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" {
		return field.Name
	}
	return name
}

func readValue(key string, raw []byte, value reflect.Value) error {
	err := json.Unmarshal(raw, value.Addr().Interface())
	// JSON's null leaves what it is read into as it is.
	nothing := string(raw) == "null" && value.Kind() != reflect.Pointer && value.Kind() != reflect.Interface
	if err == nil && !nothing {
		return nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%s: %w", key, err)
	}
	return fmt.Errorf("%s: found %s, wanted %s", key, raw, wanted(value.Type()))
}

// wanted says what a type is in JSON.
func wanted(kind reflect.Type) string {
	switch kind.Kind() {
	case reflect.Pointer:
		return wanted(kind.Elem())
	case reflect.String:
		return "a text, in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number from 0"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Slice, reflect.Array:
		return "a list"
	default:
		return "an object"
	}
}
