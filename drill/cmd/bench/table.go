package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"
)

func table(heading string, rows ...string) error {
	writer := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(writer, heading)
	for _, row := range rows {
		fmt.Fprintln(writer, row)
	}
	return writer.Flush()
}

func row(cells ...any) string {
	text := ""
	for i, cell := range cells {
		if i > 0 {
			text += "\t"
		}
		if duration, ok := cell.(time.Duration); ok {
			cell = duration.Round(10 * time.Millisecond)
		}
		text += fmt.Sprint(cell)
	}
	return text
}

func ratio[T int64 | time.Duration](a, b T) string { return fmt.Sprintf("%.1f", float64(a)/float64(b)) }

func megabytes(bytes int64) string { return fmt.Sprintf("%d MB", bytes>>20) }
