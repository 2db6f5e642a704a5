module github.com/trailguard/trailguard/review

go 1.25.0
