// The shown request as a command for sh, bash and zsh.

const PLAIN = /^[A-Za-z0-9@%+=:,./_-]+$/;

/** Return a word that a shell passes on as it is. */
export function quoted(text) {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Return the command that sends the same image to the same address; a key is a variable in it, never shown. */
export function curlCommand({ address, name, type, withKey }) {
  const key = withKey ? ` -H "Authorization: Bearer $KEY"` : "";
  // curl reads @- from standard input
  const file = name === "-" ? "./-" : name;
  return `curl --data-binary ${quoted(`@${file}`)} -H ${quoted(`Content-Type: ${type}`)}${key} ${quoted(address)}`;
}
