"""The multiplexer benchmark as a product: how fast this machine is, with which stack, against what, and why.

Purpose: measure honestly what a stack of transport, security and muxer costs, and say it in reports.
Takes: a plan of scenarios and subjects; two processes, their clocks and their CPU seconds.
Gives: findings (`plait.bench.results`) and reports made of them.
May look at: `files` and everything below it; never `cli`.
"""
