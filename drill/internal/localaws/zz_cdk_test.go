package localaws
import ("testing";"os/exec";"os";"github.com/aws/aws-sdk-go-v2/service/cloudformation")
func TestCDK(t *testing.T){
 l,err:=Start(t.Context(),Options{Python:python(t),NodeModules:"/tmp/w/n/node_modules"}); if err!=nil{t.Fatal(err)}
 defer l.Close()
 c:=l.Credentials(Administrator)
 cmd:=exec.Command("node","/tmp/w/n/node_modules/aws-cdk/bin/cdk","deploy","--all","--app","/tmp/cdkout","--method=direct","--require-approval=never","--ci")
 cmd.Dir=t.TempDir()
 cmd.Env=append(os.Environ(),"AWS_ENDPOINT_URL="+l.URL(),"AWS_ACCESS_KEY_ID="+c.AccessKeyID,"AWS_SECRET_ACCESS_KEY="+c.SecretAccessKey,"AWS_REGION=us-east-1","AWS_DEFAULT_REGION=us-east-1","AWS_MAX_ATTEMPTS=1","CDK_DISABLE_CLI_TELEMETRY=1","HOME="+t.TempDir())
 out,err:=cmd.CombinedOutput(); t.Logf("%s %v",out,err)
 for _,r:=range l.Gateway.Calls(){ if r.ErrorCode!="" {t.Log(r.Principal.ARN,r.Action(),r.ErrorCode)} }
 s,err:=cloudformation.NewFromConfig(l.Config(Administrator)).DescribeStacks(t.Context(),&cloudformation.DescribeStacksInput{})
 if err!=nil{t.Fatal(err)}
 for _,x:=range s.Stacks{ t.Log(*x.StackName,x.StackStatus)}
 t.Log(l.Err())
 t.Log(l.Advance(t.Context(),0)); for _,x:=range l.Executions(){t.Log(x.DocumentName,x.Status,x.FailureMessage,len(x.Calls))}
 t.Log(len(l.CloudTrail().Trails()), l.Err())
}
