// Package history is what the processes of a run under faults have witnessed: the format
// of their logs, and what can be proved by them.
//
// Each process writes a file of its own. Its first line is a [Process], in JSON: who
// writes. All others are [Line]s, of six words each:
//
//	kind before after what answer token
//	ask 81200341 81200342 Term yes 1795616749135
//
// before and after are read from CLOCK_MONOTONIC, which is one for all processes of a
// machine, in nanoseconds: before right before the question was asked, or the thing was
// done, and after right after it. No other clock is ever compared.
//
// Lines need not be in the order of their stamps. A process that is killed loses the
// lines of its last milliseconds, and its last line may be cut short: a reader leaves a
// line out that does not end.
//
// # What two answers prove
//
// The law is that no two candidates find that they lead at the same instant. An answer is
// computed at some instant between its two stamps; nobody knows at which. A term is never
// led again once it was over, and its token tells it. So of one term it is certain that
//
//   - it had begun when the first of its answers was there: at the earliest after,
//   - it was not over when the last of its questions was asked: at the latest before.
//
// If the first of the two is the earlier one, the holder led at all instants between
// them, also where it was not asked. No more is certain: the term may have begun long
// before its first answer, and may have gone on after its last.
//
// Terms follow each other in the order of their tokens. So an answer is wrong if it is
// about a term with a lower token, and was asked after the first answer of a term with a
// higher one was there. That is the whole of the rule, and it misses nothing: if there is
// no such pair of answers, then there are instants between the stamps, one for each
// answer, with all terms one after another. For then the last question of each term was
// asked before the first answer of each later one was there, and every answer has an instant
// on its own side of such a moment. A test tries all instants of small histories.
//
// No allowance is made: a nanosecond counts. Nothing is assumed of how fast a process
// runs between its stamps; a process that is paused there has stamps far apart, which prove
// less.
//
// A wrong answer is an [Overlap] if what is certain of the two terms shows that neither
// can have been over before the other began, whatever their tokens are. Otherwise it is
// told as [TokenOrder]: one led after another although its token is the lower one. One
// token with two holders is [TokenTwice]. A holder is one start of one node.
//
// IsLeader and Trust tell no token. Where the holder led one and the same term before and
// after, by other answers, they are about that term. Where not, such an answer is wrong if
// all of it lies within what is certain of a term of another holder.
//
// # What else is proved
//
//   - [AfterEnd]: a yes was asked for after the holder had been told that this term was
//     over: by Err or Done of its context; by a no to any question that was asked after the
//     term's first yes; by the return of Resign.
//   - [GivenUpEarly]: the first answer of a later term was there while the work of a term
//     still ran, and before the instant until which Trust had said that it would be trusted.
//   - [TwoWorks]: a process logged the beginning of a work before the end of the last.
//   - [StaleWrite]: the fenced resource accepted a write that was begun after it had
//     accepted one with a higher token.
//   - [Alternation]: a stream did not begin with false, told the same twice, or ended
//     after true.
//   - [EmptySeat]: for longer than the TTL, the retry interval and a slack nobody said that
//     it led, while one node was sound without a break. Here it counts what was asked and
//     answered, not only what is certain.
//   - [LateFollower]: for so long a sound follower named the leader of a term after a later
//     one was certain to have begun.
//   - [TwoWinners]: a round was won by two nodes.
//   - [Leak]: a process ended with more goroutines or descriptors than it began with, or
//     they grew by more than a limit while it ran.
package history
