"""The policy pack: rules that a declared stack must keep."""
