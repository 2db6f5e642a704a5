package trail

import "testing"

func TestTrailNames(t *testing.T) {
	for name, good := range map[string]bool{
		"abc": true, "my-trail_1.x": true, "A1b": true, "192.168.5": true,
		"": false, "ab": false, "-abc": false, "abc.": false, "a--b": false, "a._b": false, "a b": false, "10.0.0.1": false, "trail/x": false, "trail*": false,
	} {
		if err := CheckName("TrailName", name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestKeyPrefixes(t *testing.T) {
	for prefix, good := range map[string]bool{
		"audit": true, "audit/2026": true, "a b": true, "${Token[TOKEN.7]}": true,
		"": false, "/audit": false, "audit/": false, "*": false, "a?": false, "${aws:username}": false, "{{ x }}": false, "a\nb": false,
	} {
		if err := CheckS3KeyPrefix("S3KeyPrefix", prefix); (err == nil) != good {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestOrganizationIDs(t *testing.T) {
	for id, good := range map[string]bool{
		"o-a1b2c3d4e5": true, "${Token[TOKEN.7]}": true,
		"": false, "o-short": false, "O-A1B2C3D4E5": false, "r-a1b2c3d4e5": false, "o-a1b2c3d4e5/*": false,
	} {
		if err := CheckOrganizationID("OrganizationId", id); (err == nil) != good {
			t.Errorf("%q: %v", id, err)
		}
	}
}
