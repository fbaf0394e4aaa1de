// A template's life by @azure/arm-imagebuilder 5: its arguments are one JSON, and so is what it prints.
import { createRequire } from "node:module";

const given = JSON.parse(process.argv[2]);
const installed = createRequire(`${given.modules}/`);
const { ImageBuilderClient } = installed("@azure/arm-imagebuilder");
const { ClientSecretCredential } = installed("@azure/identity");

const { url, group, body } = given;
const credential = new ClientSecretCredential("adfs", given.app_id, given.secret, { authorityHost: url });
const client = new ImageBuilderClient(credential, given.subscription, {
  endpoint: url,
  credentials: { scopes: [`${url}/.default`] },
});
const { virtualMachineImageTemplates: templates, triggers } = client;
const told = {};

async function errorOf(call) {
  try {
    await call();
  } catch (error) {
    return { type: error.name, code: error.code };
  }
  return {};
}

async function names(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

told.missing = await errorOf(() => templates.get(group, "web"));
const { properties, ...around } = body;
const made = await templates.createOrUpdate(group, "web", { ...around, ...properties });
told.made = made.provisioningState;
told.source = made.source.type;
await templates.update(group, "web", { tags: { a: "b" } });
told.tags = (await templates.get(group, "web")).tags;
await templates.run(group, "web");
told.run = (await templates.get(group, "web")).lastRunStatus.runState;
told.outputs = (await names(templates.listRunOutputs(group, "web"))).map((one) => one.artifactId);
told.output = (await templates.getRunOutput(group, "web", "golden")).artifactId;
told["not running"] = await errorOf(() => templates.cancel(group, "web"));
const trigger = await triggers.createOrUpdate(group, "web", "newer", {
  properties: { kind: "SourceImage" },
});
told.trigger = trigger.properties.status.code;
told.triggers = (await names(triggers.listByImageTemplate(group, "web"))).map((one) => one.name);
await triggers.delete(group, "web", "newer");
told.listed = (await names(templates.listByResourceGroup(group))).map((one) => one.name);
await templates.delete(group, "web");
told.gone = (await errorOf(() => templates.get(group, "web"))).code === "ResourceNotFound";
console.log(JSON.stringify(told));
