// Package evidence shows people what a drill found: as text for a terminal, and as a page that an auditor keeps. Both are
// made of the drill's report alone. They begin with the story of one attempt, go on with a row for each scenario and a
// column for each trigger, and end with what was not run and what showed about AWS.
package evidence
