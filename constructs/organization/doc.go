// Package organization rolls the guard out over the accounts of an organization, and watches and protects it there. Each construct stands in a
// stack of its own, in the account where it belongs. The stacks find each other by fixed names, so that each can be deployed by itself: no
// stack imports what another exports.
//
//	log-archive account     LogArchive ◄──write── the trails of the organization
//	management account      Management: guards the organization trail, sees what breaks it from the organization's side
//	                        Rollout ──StackSet──► each member account: a TrailGuard with a trail of its own, or a Watch
//	                        Prevention ──policies──► each member account
//	security account        Central ◄──tell── Management, OrganizationEvents, and each member account
package organization
