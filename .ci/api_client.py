"""Uses the generated Python client against a running stack: creates, lists, changes and deletes each resource.

TIELINE_URL and TIELINE_TOKEN are the stack's URL and its admin's token. The client is the package `client` on PYTHONPATH.
"""

import os
from collections.abc import Callable
from typing import Any

from client import AuthenticatedClient
from client.api.accounts import create_account, delete_account, get_account, list_accounts, update_account
from client.api.campaigns import create_campaign, delete_campaign, get_campaign, list_campaigns, update_campaign
from client.api.credentials import (
    create_credential,
    delete_credential,
    get_credential,
    list_credentials,
    update_credential,
)
from client.api.event_types import create_event_type, list_event_types
from client.api.events import publish_event
from client.api.providers import create_provider, delete_provider, get_provider, list_providers, update_provider
from client.api.services import create_service, delete_service, get_service, list_services, update_service
from client.api.users import create_user, delete_user, get_user, list_users, update_user
from client.api.webhooks import create_webhook, delete_webhook, get_webhook, list_webhooks, update_webhook
from client import models


def resources(mark: str) -> list[tuple[Any, Any, Any, Any, Any, Any, Any, Callable[[Any], bool]]]:
    """For each resource: its five operations, what to create, a patch, and a check of the patched resource."""
    account = models.AccountInput(
        name=f"account {mark}", authorization=models.HeaderAuthorizationInput(type_="header", name="x-key", value="abc")
    )
    return [
        (
            create_user, list_users, get_user, update_user, delete_user,
            models.UserInput(name=f"user {mark}", email="ana@example.com"),
            models.UserPatch(active=False),
            lambda user: user.active is False,
        ),
        (
            create_credential, list_credentials, get_credential, update_credential, delete_credential,
            models.CredentialInput(description="ERP", scopes=[models.Scope.EVENTSWRITE]),
            models.CredentialPatch(rotate_after_days=30),
            lambda credential: credential.rotate_after_days == 30,
        ),
        (
            create_account, list_accounts, get_account, update_account, delete_account,
            account,
            models.AccountPatch(name=f"renamed account {mark}"),
            lambda account: account.name.startswith("renamed"),
        ),
        (
            create_service, list_services, get_service, update_service, delete_service,
            models.ServiceWithAccountInput(
                name=f"service {mark}",
                server_url="https://erp.example.com/api",
                account=models.AccountInput(
                    name=f"account of service {mark}", authorization=models.NoneAuthorizationInput(type_="none")
                ),
            ),
            models.ServicePatch(timeout_seconds=5),
            lambda service: service.timeout_seconds == 5,
        ),
        (
            create_provider, list_providers, get_provider, update_provider, delete_provider,
            models.ProviderInput(
                name=f"provider {mark}",
                provider_id="AC1",
                channel=models.Channel.SMS,
                send_url="https://sms.example.com/messages",
                api_key="key-3f9a62d1c84b",
                auth=models.BearerProviderAuth(type_="bearer"),
            ),
            models.ProviderPatch(provider_id="AC2"),
            lambda provider: provider.provider_id == "AC2",
        ),
        (
            create_campaign, list_campaigns, get_campaign, update_campaign, delete_campaign,
            models.CampaignInput(name=f"campaign {mark}", description="A test."),
            models.CampaignPatch(description=None),
            lambda campaign: campaign.description is None,
        ),
        (
            create_webhook, list_webhooks, get_webhook, update_webhook, delete_webhook,
            models.UrlWebhookInput(
                name=f"webhook {mark}",
                url="https://example.com/hooks/{id}",
                events=["ticket.created"],
                conditions=models.FieldCondition(field="priority", op=models.FieldConditionOp.EQ, value="urgent"),
                retry=models.FixedRetryPolicy(type_="fixed", interval_seconds=60, duration_seconds=600),
            ),
            models.WebhookPatch(enabled=False, conditions=None),
            lambda webhook: webhook.enabled is False and webhook.conditions is None,
        ),
    ]


def main() -> None:
    """Creates, lists, reads, changes and deletes each resource."""
    client = AuthenticatedClient(
        base_url=os.environ["TIELINE_URL"], token=os.environ["TIELINE_TOKEN"], raise_on_unexpected_status=True
    )
    mark = os.urandom(4).hex()
    for create, list_all, get, update, delete, new, patch, changed in resources(mark):
        name = create.__name__.rsplit(".", 1)[-1]
        created = create.sync(client=client, body=new)
        assert not isinstance(created, models.Problem), created
        page = list_all.sync(client=client, limit=100)
        assert created.id in [item.id for item in page.data], f"{name}: not in the list"
        assert get.sync(created.id, client=client).id == created.id
        after = update.sync(created.id, client=client, body=patch)
        assert changed(after), f"{name}: not changed: {after}"
        assert delete.sync_detailed(created.id, client=client).status_code == 204
        assert isinstance(get.sync(created.id, client=client), models.Problem), f"{name}: still there"
        print(f"{name}: created, listed, changed, deleted")

    kind = f"test.{mark}"
    made = create_event_type.sync(client=client, body=models.EventTypeInput(name=kind))
    assert isinstance(made, models.EventType), made
    types = list_event_types.sync(client=client, limit=100)
    assert isinstance(types, models.EventTypeList) and kind in [item.name for item in types.data]
    event = models.EventInput(type_=kind, data=models.EventInputData.from_dict({"id": 1}))
    accepted = publish_event.sync(client=client, body=event)
    assert isinstance(accepted, models.Accepted), accepted
    print(f"published {accepted.id}")


if __name__ == "__main__":
    main()
