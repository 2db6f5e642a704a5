# `make drill` shows the guard at work on this machine, `make test` tests everything but what `make lint` does. Neither needs an AWS account.

MODULES := ./... ./localaws/... ./drill/... ./examples/... ./review/...
CDK     := node_modules/.bin/cdk
DRILL   := bin/trailguard

# The Node.js that `make setup` installs, where there is one for this platform: jsii, the CDK and its validator find it there.
TOOLS := $(CURDIR)/node_modules/.bin
export PATH := $(TOOLS):$(PATH)

.PHONY: drill test synth templates deploy lint bench update setup clean

drill: setup $(DRILL)
	@$(DRILL) drill --local

# The CDK validates at each synthesis of a test, unless told not to before the process starts; one test tells it to. `make lint` vets and has cfn-lint, no
# debugger looks at the tests' programs, and their memory is cheaper than collecting it.
test: setup
	.venv/bin/python -B -m unittest discover assets/runbooks
	GOGC=800 CDK_VALIDATION=false go test -count=1 -vet=off -ldflags=-w $(MODULES)

synth: setup
	$(CDK) synth --strict --quiet

# Writes dist/*.yaml: the templates of cdk.json for the consoles of CloudFormation and StackSets, or another pipeline.
templates: setup
	rm -rf dist
	@CDK_VALIDATION=false go run ./drill/cmd/templates dist

deploy: setup
	$(CDK) deploy

lint: setup
	@test -z "$$(gofmt -l $$(git ls-files '*.go') | tee /dev/stderr)"
	go vet $(MODULES)
	go tool staticcheck $(MODULES)
	.venv/bin/python -B -c 'import sys; [compile(open(path).read(), path, "exec") for path in sys.argv[1:]]' $$(git ls-files '*.py')
	CDK_VALIDATION=false go test -count=1 -tags lint ./review -run CfnLint

bench: setup
	@go run ./drill/cmd/bench

# Rewrites the script in the runbook's YAML, the runbook's JSON, the golden templates, the schema of cdk.json, the requests of a repair, the drill's
# report, and the page of what is taken for granted of AWS: their difference is what a reviewer reads.
update: setup
	go test ./review -run TestTheRunbooks -update
	CDK_VALIDATION=false go test ./constructs/trailguard ./constructs/organization -run AreAsReviewed -update
	CDK_VALIDATION=false go test . -run TestTheSchemaIsThatOfTheProps -update
	go test ./localaws -run TestTheTable -update
	go test ./drill ./drill/evidence ./drill/closedloop -update

setup: .venv/.complete node_modules/.complete

.venv/.complete: requirements.txt
	python3 -m venv .venv
	.venv/bin/pip install --quiet --require-hashes --requirement requirements.txt
	@touch $@

node_modules/.complete: package.json package-lock.json
	PATH="$(patsubst $(TOOLS):%,%,$(PATH))" npm ci # on the Node.js that is there already: this takes ours away first
	@touch $@

.PHONY: $(DRILL)
$(DRILL):
	go build -o $@ ./drill/cmd/trailguard

clean:
	rm -rf bin cdk.out dist node_modules .venv
