package status

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/trailguard/trailguard/drill/internal/testbed"
)

var accounts = []*testbed.Account{testbed.FirstReading(), testbed.SecondReading()}

func TestMain(m *testing.M) { testbed.Main(m, accounts, func() error { return nil }) }

func TestX(t *testing.T) {
	for i, name := range []string{"default", "everything"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := accounts[i]
			began := time.Now()
			g := a.Deploy(t, testbed.ReadTemplate(t, name))
			g.Settle()
			fmt.Println(name, "deployed", time.Since(began))
			began = time.Now()
			_, err := sns.NewFromConfig(a.Admin).Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: &g.AlertTopicARN, Protocol: aws.String("email"), Endpoint: aws.String("x@example.com")})
			if err != nil {
				t.Fatal(err)
			}
			report, err := Inspect(t.Context(), NewClients(a.Admin), testbed.StackName, a.Clock.Now(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println(name, "looked", time.Since(began))
			for _, f := range report.Findings {
				fmt.Println(f.Part, f.Name, f.LogicalID, f.Whole())
				for _, p := range f.Problems {
					fmt.Println("   NO ", p.What, "  --- ", p.Mend)
				}
				for _, p := range f.Warnings {
					fmt.Println("   WARN ", p.What, "  --- ", p.Mend)
				}
				for _, p := range f.NotSeen {
					fmt.Println("   ? ", p.What, p.Permission)
				}
			}
		})
	}
}
