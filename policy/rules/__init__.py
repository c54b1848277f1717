"""What reviewers forget, as rules. Pulumi calls this package `rules` and the tests
`policy.rules`, so its modules import each other relatively."""
