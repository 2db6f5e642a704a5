package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// wildcard is a character of a pattern that is not itself.
const (
	anyText rune = -1 // *
	anyRune rune = -2 // ?
)

// pattern is a text with wildcards and policy variables.
type pattern struct {
	runes []rune // with wildcards as negative values; unused where there are parts
	parts []part // where there are variables
	plain string // the text itself where there is neither
	exact bool
}

type part struct {
	runes    []rune
	variable string // in lower case
}

// variables are the condition keys that a policy may use as ${key}. Others, and defaults, are not modelled.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
var variables = []string{
	"aws:principalaccount", "aws:principalarn", "aws:username", "aws:sourceaccount", "aws:sourcearn",
	"aws:resourceaccount", "aws:requestedregion", "aws:principalorgid",
}

// keys holds the condition keys of a request, in lower case.
type keys map[string][]string

// compile reads a pattern. With expand, ${key} stands for the value of a condition key, and ${*}, ${?} and ${$} for
// themselves.
func compile(text string, expand bool) (pattern, error) {
	if strings.ContainsAny(text, "\r\n") {
		return pattern{}, errors.New("it holds a line break")
	}
	if !strings.ContainsAny(text, "*?$") {
		return pattern{plain: text, exact: true}, nil
	}
	var (
		parts []part
		runes []rune
		found bool
	)
	for rest := text; rest != ""; {
		if expand && strings.HasPrefix(rest, "${") {
			end := strings.IndexByte(rest, '}')
			if end < 0 {
				return pattern{}, errors.New("a policy variable has no end")
			}
			name := rest[2:end]
			rest = rest[end+1:]
			if name == "*" || name == "?" || name == "$" {
				runes = append(runes, rune(name[0]))
				continue
			}
			if !known(name) {
				return pattern{}, fmt.Errorf("the policy variable %q is not modelled", name)
			}
			parts = append(parts, part{runes: runes}, part{variable: strings.ToLower(name)})
			runes, found = nil, true
			continue
		}
		r, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
		switch r {
		case '*':
			r = anyText
		case '?':
			r = anyRune
		}
		runes = append(runes, r)
	}
	if !found {
		return pattern{runes: runes}, nil
	}
	return pattern{parts: append(parts, part{runes: runes})}, nil
}

func known(variable string) bool {
	for _, v := range variables {
		if strings.EqualFold(v, variable) {
			return true
		}
	}
	return false
}

// resolve puts the values of the variables in. A variable without a value matches nothing: ok is false.
func (p pattern) resolve(values keys) (runes []rune, ok bool) {
	if p.parts == nil {
		return p.runes, true
	}
	for _, part := range p.parts {
		if part.variable == "" {
			runes = append(runes, part.runes...)
			continue
		}
		value := values[part.variable]
		if len(value) != 1 {
			return nil, false
		}
		runes = append(runes, []rune(value[0])...)
	}
	return runes, true
}

// match tells whether the whole text is one that the pattern describes.
func (p pattern) match(text string, values keys) bool {
	if p.exact {
		return p.plain == text
	}
	runes, ok := p.resolve(values)
	return ok && glob(runes, text)
}

// glob compares a text with a pattern, where * stands for any text and ? for any one character.
func glob(pattern []rune, text string) bool {
	runes := []rune(text)
	p, t := 0, 0
	star, mark := -1, 0
	for t < len(runes) {
		switch {
		case p < len(pattern) && pattern[p] == anyText:
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == anyRune || pattern[p] == runes[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == anyText {
		p++
	}
	return p == len(pattern)
}

// compileARN reads the pattern of an ARN: a lone *, or six fields, each with its own wildcards. A policy variable can
// stand in the last field only.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-wheretouse
func compileARN(text string, expand bool) ([]pattern, error) {
	if text == "*" {
		p, err := compile(text, false)
		return []pattern{p}, err
	}
	fields := strings.SplitN(text, ":", 6)
	if len(fields) != 6 || (fields[0] != "arn" && fields[0] != "*") {
		return nil, errors.New("it is neither * nor an ARN of six fields")
	}
	patterns := make([]pattern, 0, 6)
	for i, field := range fields {
		if i < 5 && expand && strings.Contains(field, "${") {
			return nil, errors.New("a policy variable can only stand after the fifth colon")
		}
		p, err := compile(field, expand)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}

// matchARN compares an ARN with a pattern, field by field.
func matchARN(patterns []pattern, arn string, values keys) bool {
	if len(patterns) == 1 {
		return patterns[0].match(arn, values)
	}
	for i, p := range patterns {
		field := arn
		if i < len(patterns)-1 {
			var found bool
			field, arn, found = strings.Cut(arn, ":")
			if !found {
				return false
			}
		}
		if !p.match(field, values) {
			return false
		}
	}
	return true
}
