// The JavaScript SDK v3, spoken to by a test: javascript_client.mjs DIR, where DIR is the directory it is installed in.
// Keys, region and endpoint come from the environment. Lines are those of conversation.py; an operation named like one
// of the SDK's waiters (waitUntilGroupInService, ...) waits with it.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const sdk = createRequire(`${process.argv[2]}/package.json`)("@aws-sdk/client-auto-scaling");
const client = new sdk.AutoScalingClient();

// The SDK asks every 15 s unless told otherwise, which suits machines that boot; ours are processes.
const PATIENCE = { client, minDelay: 0.1, maxDelay: 0.5, maxWaitTime: 20 };

async function call({ operation, given }) {
  if (operation.startsWith("waitUntil")) {
    return { state: (await sdk[operation](PATIENCE, given)).state };
  }
  if (operation === "CreateLaunchConfiguration" && given.UserData !== undefined) {
    given.UserData = Buffer.from(given.UserData).toString("base64"); // other SDKs do so for their users
  }
  const { $metadata, ...result } = await client.send(new sdk[`${operation}Command`](given));
  return result;
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { result: await call(JSON.parse(line)) };
  } catch (error) {
    if (!(error instanceof sdk.AutoScalingServiceException)) throw error;
    // A modelled error has a class of its own, with the name that users write after instanceof.
    const kind = sdk[error.name] !== undefined && error instanceof sdk[error.name] ? error.name : "ServiceException";
    answer = { refusal: { code: error.Code ?? error.Error?.Code ?? error.name, message: error.message, kind } };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
