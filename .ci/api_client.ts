// What a TypeScript client needs of the generated types; it only has to type-check.
import type { components, operations, paths } from "./api";

type Schemas = components["schemas"];

export const webhook: Schemas["WebhookInput"] = {
  name: "Urgent tickets",
  url: "https://example.com/hooks/{id}",
  events: ["ticket.created", "insight.*"],
  conditions: { all: [{ field: "priority", op: "eq", value: "urgent" }, { not: { field: "status", op: "exists" } }] },
  retry: { type: "fixed" },
  auth: { type: "basic", username: "tieline", password: "secret" },
};

export const patch: Schemas["WebhookPatch"] = { conditions: null, retry: { interval_seconds: 60 } };

export const message: Schemas["MessageInput"] = { channel: "sms", to: "+15555550100", text: "Your order has shipped." };

export function address(webhook: Schemas["Webhook"]): string {
  return webhook.url ?? `${webhook.service_id}${webhook.path}`;
}

export function username(auth: Schemas["AuthInput"]): string | undefined {
  return auth.type === "basic" ? auth.username : undefined;
}

type Page = operations["listWebhooks"]["responses"][200]["content"]["application/json"];

export function ids(page: Page): string[] {
  return page.data.map((webhook) => webhook.id);
}

export type Update = paths["/v1/webhooks/{id}"]["patch"]["requestBody"]["content"]["application/merge-patch+json"];
