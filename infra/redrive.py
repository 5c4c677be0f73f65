"""Moves the messages of the `dead` queue back to their queues. Prints how many it sent and how many it skipped.

    python3 infra/redrive.py <stack name>

A message is deleted only after it was sent, so that an interrupted run can be repeated. Skips messages that are neither events
nor messages for the delivery function, and messages that fail again during the run. Requires boto3.
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
    """Returns the URL of the queue whose function handles the message, or None."""
    try:
        body = json.loads(message["Body"])
    except ValueError:
        return None
    if not isinstance(body, dict) or int(message["Attributes"]["SentTimestamp"]) > started:
        return None
    # Messages of earlier releases have no kind.
    if body.keys() & {"kind", "delivery", "message", "callback"}:
        return urls["DeliveriesQueueUrl"]
    return urls["EventsQueueUrl"] if {"id", "type", "data"} <= body.keys() else None


def received():
    """Yields the messages of the queue until it is empty or returns only skipped messages."""
    seen = set()
    while True:
        response = sqs.receive_message(
            QueueUrl=urls["DeadQueueUrl"], MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["All"]
        )
        messages = [message for message in response.get("Messages", []) if message["MessageId"] not in seen]
        if not messages:
            return
        seen.update(message["MessageId"] for message in messages)
        yield from messages


sent = skipped = 0
for message in received():
    queue = destination(message)
    if queue is None:
        skipped += 1
        continue
    group = message["Attributes"].get("MessageGroupId")
    sqs.send_message(QueueUrl=queue, MessageBody=message["Body"], **({"MessageGroupId": group} if group else {}))
    sqs.delete_message(QueueUrl=urls["DeadQueueUrl"], ReceiptHandle=message["ReceiptHandle"])
    sent += 1
print(f"{sent} sent, {skipped} skipped")
