package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	yaml "github.com/pb33f/go-yaml"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	validation "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"github.com/pb33f/libopenapi/datamodel/high/base"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"

	"github.com/seed-a1d591d3/leadership/internal/apitest"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// description is an OpenAPI document, and what checks against it.
type description struct {
	validator.Validator
	*v3.Document
	schemas schema_validation.SchemaValidator
}

// describe reads a document. It is strict, so that answers must not have more than the
// document does.
func describe(document []byte) (description, error) {
	read, err := libopenapi.NewDocument(document)
	if err != nil {
		return description{}, err
	}
	model, err := read.BuildV3Model()
	if err != nil {
		return description{}, err
	}
	options := []config.Option{
		config.WithStrictMode(), config.WithFormatAssertions(),
		// Headers of HTTP, of the page, and of every answer.
		config.WithStrictIgnoredHeadersExtra("x-content-type-options", "x-accel-buffering", "content-security-policy",
			"cross-origin-opener-policy", "cross-origin-resource-policy", "referrer-policy", "x-frame-options",
			"content-encoding", "sec-fetch-site"),
		// The document itself, whose own schema is only that it is an object.
		config.WithStrictIgnorePaths("$.body.openapi", "$.body.info", "$.body.servers", "$.body.tags", "$.body.paths", "$.body.components"),
	}
	v, errs := validator.NewValidator(read, options...)
	if len(errs) > 0 {
		return description{}, errs[0]
	}
	return description{v, &model.Model, schema_validation.NewSchemaValidator(options...)}, nil
}

// served returns the document as a handler serves it.
func served(t *testing.T) []byte {
	t.Helper()
	response, document := send(t, serve(t, memory.New()), "GET", "/openapi.json", "")
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	return []byte(document)
}

// exchanges returns those in which every route answers in every way there is,
// which the tests of httpapi have seen.
func exchanges(t *testing.T) (all []apitest.Exchange) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "exchanges.json")
	test := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "^TestEveryRouteAnswersInEveryWay$", ".")
	test.Dir = filepath.Join("..", "..", "..", "httpapi")
	test.Env = append(os.Environ(), "HTTPAPI_EXCHANGES="+file)
	if out, err := test.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", test, err, out)
	}
	written, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(written, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// operations are those of the document, by "METHOD path".
func (d description) operations() map[string]*v3.Operation {
	all := make(map[string]*v3.Operation)
	for path, item := range d.Paths.PathItems.FromOldest() {
		for method, o := range item.GetOperations().FromOldest() {
			all[strings.ToUpper(method)+" "+path] = o
		}
	}
	return all
}

// route is a pattern of the mux as the document writes it.
func route(pattern string) string { return strings.ReplaceAll(pattern, "{$}", "") }

func TestOpenAPIDocumentIsValid(t *testing.T) {
	d, err := describe(served(t))
	if err != nil {
		t.Fatal(err)
	}
	if ok, errs := d.ValidateDocument(); !ok {
		t.Errorf("the document is not valid: %v", told1(errs))
	}
	if d.Version != "3.1.1" {
		t.Errorf("it is of OpenAPI %s", d.Version)
	}
}

func TestExamplesInTheOpenAPIDocumentFitTheirSchemas(t *testing.T) {
	d, err := describe(served(t))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	fits := func(where string, schema *base.SchemaProxy, example *yaml.Node) {
		if example == nil || schema == nil {
			return
		}
		n++
		var v any
		if err := example.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if ok, errs := d.schemas.ValidateSchemaObjectWithVersion(schema.Schema(), v, 3.1); !ok {
			t.Errorf("the example of %s: %s", where, told1(errs))
		}
	}
	for name, o := range d.operations() {
		for _, p := range o.Parameters {
			fits(name+" "+p.Name, p.Schema, p.Example)
		}
		if o.RequestBody != nil {
			for _, m := range o.RequestBody.Content.FromOldest() {
				fits(name, m.Schema, m.Example)
			}
		}
		for code, r := range o.Responses.Codes.FromOldest() {
			for kind, m := range r.Content.FromOldest() {
				fits(name+" "+code+" "+kind, m.Schema, m.Example)
			}
		}
	}
	if n < 100 {
		t.Errorf("there are %d examples", n)
	}
}

// told1 are the reasons of errors, in one line.
func told1(errs []*validation.ValidationError) string {
	var all []string
	for _, e := range errs {
		line := e.Message + ": " + e.Reason
		for _, s := range e.SchemaValidationErrors {
			line += "; " + s.Reason + " at " + s.FieldPath
		}
		all = append(all, line)
	}
	return strings.Join(all, " | ")
}

// complaints returns where apitest.Exchanges differ from the document, and what is in it
// that none of them has shown.
func (d description) complaints(all []apitest.Exchange) []string {
	var out []string
	complain := func(e apitest.Exchange, format string, args ...any) {
		out = append(out, fmt.Sprintf("%s %s %d: ", e.Method, e.Path, e.Status)+fmt.Sprintf(format, args...))
	}
	operations := d.operations()
	shown := make(map[string]bool)
	for _, e := range all {
		path := strings.TrimPrefix(route(e.Pattern), e.Method+" ")
		o := operations[e.Method+" "+path]
		item := d.Paths.PathItems.GetOrZero(path)
		if o == nil {
			complain(e, "%q is not described", e.Pattern)
			continue
		}
		r := e.HTTP()
		r.RequestURI, r.Pattern = "", ""
		if e.Status < 400 {
			if ok, errs := d.ValidateHttpRequestSyncWithPathItem(r, item, path); !ok {
				complain(e, "the request: %s", told1(errs))
			}
		}
		answer := &http.Response{StatusCode: e.Status, Header: e.Header, Body: io.NopCloser(bytes.NewReader(e.Answer)), Request: r}
		kind := e.Header.Get("Content-Type")
		if ok, errs := d.GetResponseBodyValidator().ValidateResponseBodyWithPathItem(r, answer, item, path); !ok {
			complain(e, "the answer %q: %s", e.Answer, told1(errs))
		}
		code := fmt.Sprint(e.Status)
		said := o.Responses.Codes.GetOrZero(code)
		if said == nil {
			continue // has been complained of
		}
		if orderedmap.Len(said.Content) == 0 && len(e.Answer) > 0 {
			complain(e, "there is a body: %q", e.Answer)
		}
		for header := range said.Headers.FromOldest() {
			if e.Header.Get(header) != "" {
				shown[e.Method+" "+path+" "+code+" "+header] = true
			}
		}
		kind, _, _ = strings.Cut(kind, ";")
		shown[strings.TrimSpace(e.Method+" "+path+" "+code+" "+kind)] = true
		for _, line := range e.Events() {
			if errs := d.event(path, line); errs != "" {
				complain(e, "the event %s: %s", line, errs)
			}
		}
	}
	for name, o := range operations {
		for code, r := range o.Responses.Codes.FromOldest() {
			if orderedmap.Len(r.Content) == 0 && !shown[name+" "+code] {
				out = append(out, name+" "+code+" has not been answered")
			}
			for kind := range r.Content.FromOldest() {
				if !shown[name+" "+code+" "+kind] && (code != "500" || kind != "application/json" || orderedmap.Len(r.Content) == 1) {
					out = append(out, name+" "+code+" with "+kind+" has not been answered")
				}
			}
			for header := range r.Headers.FromOldest() {
				if !shown[name+" "+code+" "+header] {
					out = append(out, name+" "+code+" has not been answered with "+header)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// event returns what is wrong with an event of a stream.
func (d description) event(path string, line []byte) string {
	name := "Event"
	if path == "/api/v1/events" {
		var v struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(line, &v); err != nil {
			return err.Error()
		}
		name = "Observed"
		if schema := strings.ToUpper(v.Type[:1]) + v.Type[1:]; d.Components.Schemas.GetOrZero(schema) != nil {
			name = schema
		}
	}
	var v any
	if err := json.Unmarshal(line, &v); err != nil {
		return err.Error()
	}
	schema := d.Components.Schemas.GetOrZero(name)
	if schema == nil {
		return "there is no schema " + name
	}
	if ok, errs := d.schemas.ValidateSchemaObjectWithVersion(schema.Schema(), v, 3.1); !ok {
		return told1(errs)
	}
	for field := range v.(map[string]any) {
		if schema.Schema().Properties.GetOrZero(field) == nil {
			return "it does not say " + field
		}
	}
	return ""
}

func TestAnswersAreAsTheOpenAPIDocumentSays(t *testing.T) {
	document := served(t)
	all := exchanges(t)
	d, err := describe(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range d.complaints(all) {
		t.Error(complaint)
	}

	// And if it said something else that would be found.
	for _, lie := range [][2]string{
		{`"204": {`, `"205": {`},
		{`"/api/v1/elections/{key}/resign"`, `"/api/v1/elections/{key}/leave"`},
		{`"409": {`, `"410": {`},
		{`"in": "query",` + "\n" + `        "description": "How long a win`, `"in": "query",` + "\n" + `        "required": true,` + "\n" + `        "description": "How long a win`},
		{`"trust_ms": {`, `"trust_s": {`},
		{`"X-Leadership-Trust": {`, `"X-Leadership-Time": {`},
		{`"obeyed": {` + "\n" + `            "type": "boolean"`, `"obeyed": {` + "\n" + `            "type": "string"`},
		{`"may_write": {`, `"writes": {`},
		{`"text/event-stream": {`, `"text/plain": {`},
		{`"result_base64": {`, `"result_hex": {`},
		{`"maximum": 1000`, `"maximum": 1`},
		{`"image/svg+xml": {`, `"image/png": {`},
		{`"payload": {` + "\n" + `            "type": "string",` + "\n" + `            "description": "What followers`, `"load": {` + "\n" + `            "type": "string",` + "\n" + `            "description": "What followers`},
	} {
		said := bytes.Replace(document, []byte(lie[0]), []byte(lie[1]), 1)
		if bytes.Equal(said, document) {
			t.Errorf("the document does not say %s", lie[0])
			continue
		}
		d, err := describe(said)
		if err == nil && len(d.complaints(all)) == 0 {
			t.Errorf("it is not noticed that the document says %s", lie[1])
		}
	}
}
