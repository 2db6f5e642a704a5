// Package protection is the prevention that a guard has beside its repair: policies of AWS Organizations that deny what
// would stop the trail, harm its files or switch off the guard, to everybody but the roles that deploy and repair.
//
// A service control policy binds the principals of the accounts that it is attached to, their root users included. It binds
// neither the management account nor service-linked roles. A resource control policy binds everybody who uses the bucket and
// the key, also from outside the organization, but not the management account's own resources.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
//
// The package knows neither the CDK nor jsii, so that the command line prints what the construct deploys.
package protection
