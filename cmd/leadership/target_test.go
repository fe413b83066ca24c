package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestStatusTellsWithVerboseWhereTheStoreIs(t *testing.T) {
	file := t.TempDir() + "/e.db"
	var out, errs bytes.Buffer
	code := execute(t.Context(), []string{"status", "--prefix", "x/", "--verbose", "--store", "sqlite://" + file}, nil, &out, &errs, nil)
	if code != 0 || !strings.Contains(errs.String(), "target.file="+file) || !strings.Contains(errs.String(), "target.table=leadership_kv") {
		t.Errorf("exit %d: %s%s", code, out.String(), errs.String())
	}
}
