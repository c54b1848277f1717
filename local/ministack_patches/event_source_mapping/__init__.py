"""Event source mappings of DynamoDB streams as Lambda runs them.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""
