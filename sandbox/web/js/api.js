// The control API of the sandbox; see sandbox/client.py for what each deed means.

async function read(response) {
  const answer = await response.json();
  if (answer.error) throw new Error(answer.error);
  return answer.result;
}

export const getState = async () => (await fetch("/sandbox/api/state")).json();

export const getCalls = async () => (await (await fetch("/sandbox/api/calls?limit=200")).json()).calls;

/** One deed of a user, for example act("press", {user, chat, message_id, data}). */
export async function act(deed, say) {
  const headers = { "Content-Type": "application/json" };
  return read(await fetch(`/sandbox/api/${deed}`, { method: "POST", headers, body: JSON.stringify(say) }));
}

/** Send files; several become an album. */
export async function sendFiles(say, files) {
  const form = new FormData();
  form.append("say", JSON.stringify(say));
  for (const file of files) form.append("file", file, file.name);
  return read(await fetch("/sandbox/api/send", { method: "POST", body: form }));
}

export const fileUrl = (fileId) => `/sandbox/files/${encodeURIComponent(fileId)}`;
