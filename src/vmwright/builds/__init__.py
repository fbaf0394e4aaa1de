"""The pipeline of a build, its events and log, time-outs, cancel and clean-up."""
