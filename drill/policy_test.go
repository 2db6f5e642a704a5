package drill

import "testing"

func TestPoliciesAreComparedByTheirMeaning(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[
		{"Sid":"A","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"x"},
		{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["y"]}]}`
	for other, same := range map[string]bool{
		`{"Statement":[{"Action":["s3:*"],"Effect":"Deny","Principal":"*","Resource":"y"},
			{"Action":["s3:PutObject","s3:GetObject"],"Effect":"Allow","Principal":{"AWS":["123456789012"]},"Resource":["x"],"Sid":"A"}],"Version":"2012-10-17"}`: true,
		`{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"x"}]}`: false,
		`{"Version":"2012-10-17","Statement":[
			{"Sid":"A","Effect":"Allow","Principal":{"AWS":"210987654321"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"x"},
			{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["y"]}]}`: false,
		`{"Version":"2012-10-17","Statement":[
			{"Sid":"A","Effect":"Deny","Principal":{"AWS":"123456789012"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"x"},
			{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["y"]}]}`: false,
	} {
		if got := meaning(&document{policy}) == meaning(&document{other}); got != same {
			t.Errorf("that it means the same is %t: %s", got, other)
		}
	}
	more, err := document{`{"Statement":{"Sid":"A"}}`}.withStatement(map[string]any{"Sid": "B"})
	if want := `{"Statement":[{"Sid":"A"},{"Sid":"B"}]}`; err != nil || more != want {
		t.Errorf("got %s, %v, want %s", more, err, want)
	}
}
