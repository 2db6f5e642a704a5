package status

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// lookAtAlarm compares an alarm with the template's, and looks whether it rings.
func lookAtAlarm(ctx context.Context, v *view, r resource, f *Finding) {
	got, err := v.CloudWatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{r.name}, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm}})
	if f.read(err) != seen {
		return
	}
	if len(got.MetricAlarms) == 0 {
		f.wrong(revert, "it is deleted")
		return
	}
	alarm := got.MetricAlarms[0]
	have, _ := plain(alarm).(map[string]any)
	want := union(map[string]any{"ActionsEnabled": true, "AlarmActions": nil, "OKActions": nil, "InsufficientDataActions": nil},
		without(r.properties, "ActionsEnabled", "AlarmActions", "OKActions", "InsufficientDataActions", "AlarmDescription", "AlarmName", "Tags"))
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if declared, is := r.properties[name]; is {
			want[name] = declared
		}
		mend := revert
		if name == "ActionsEnabled" {
			mend = "aws cloudwatch enable-alarm-actions --alarm-names " + r.name
		}
		f.compare(mend, name, want[name], have[name])
	}
	if alarm.StateValue == types.StateValueAlarm {
		f.wrong("do what the alarm asks for: "+aws.ToString(alarm.AlarmDescription), "it has been ringing since %s: %s", at(alarm.StateUpdatedTimestamp), cut(aws.ToString(alarm.StateReason)))
	}
}
