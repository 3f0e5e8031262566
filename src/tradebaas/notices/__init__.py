"""Notices: what a person is told away from the machine, through the services that apprise knows.

model      a notice: what happened, what the daemon did, what the person should do
words      from a committed event to a notice
conditions what is told because it lasts or because a day is over, and is no event
gate       how many are let through; what is held back is counted
memory     up to where has been told, and the totals of the last summary (data/notices.json)
watch      the task in the shell: reads the log, fills one queue per address, sends
delivery   apprise itself, in a child process only
"""
