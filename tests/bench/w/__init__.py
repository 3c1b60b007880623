"""Work W: what an event costs in Kairos, in a bare loop, and in other people's stream processors.

How it works. W is written down once, in `work`: per event decode, fold eight fading sums and the counts of one
customer, score, and say so in a trigger when the score is high and the customer was not told of it lately. Kairos does
it as a playbook and schema of Kairos (`work.playbook`; `work.FACTS`: of customers nothing is kept that W does not ask
for) in its ordinary worker; each peer (`peers`) does it as its own documentation
advises. All read the same records of the topic `clickstream`, and `outcome` compares what they leave.

Kairos does more than W for each of these events: it drops repeated ids, knows carts, orders and when each event was
last, puts proposals before policies and writes reasons. What the others leave out stands in `does_not`.
"""
