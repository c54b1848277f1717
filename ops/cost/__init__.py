"""What a pipeline costs a month: settings and traffic to quantities, quantities to a bill."""
