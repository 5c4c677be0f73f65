"""Sends each message of the `dead` queue back to the queue that it belongs to, and tells how many were sent and left.

    python3 infra/redrive.py <name of the stack>

A message is deleted here once it is stored there, so that a run can end anywhere and be repeated. What is neither an event nor
asks for work of the delivery function is left, and so is what arrives during the run: the cause is not mended. Needs boto3.
"""

import json
import sys
import time

import boto3

started = time.time() * 1000
stack = boto3.client("cloudformation").describe_stacks(StackName=sys.argv[1])["Stacks"][0]
urls = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
sqs = boto3.client("sqs")


def destination(message):
    """The URL of the queue of what works on the message; none when nothing does."""
    try:
        body = json.loads(message["Body"])
    except ValueError:
        return None
    if not isinstance(body, dict) or int(message["Attributes"]["SentTimestamp"]) > started:
        return None
    if body.keys() & {"delivery", "message", "callback"}:
        return urls["DeliveriesQueueUrl"]
    return urls["EventsQueueUrl"] if {"id", "type", "data"} <= body.keys() else None


def received():
    """The messages of the queue until there are none, or until one that was left comes again."""
    seen = set()
    while True:
        answer = sqs.receive_message(
            QueueUrl=urls["DeadQueueUrl"], MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["All"]
        )
        messages = [message for message in answer.get("Messages", []) if message["MessageId"] not in seen]
        if not messages:
            return
        seen.update(message["MessageId"] for message in messages)
        yield from messages


sent = left = 0
for message in received():
    queue = destination(message)
    if queue is None:
        left += 1
        continue
    group = message["Attributes"].get("MessageGroupId")
    sqs.send_message(QueueUrl=queue, MessageBody=message["Body"], **({"MessageGroupId": group} if group else {}))
    sqs.delete_message(QueueUrl=urls["DeadQueueUrl"], ReceiptHandle=message["ReceiptHandle"])
    sent += 1
print(f"{sent} sent, {left} left")
