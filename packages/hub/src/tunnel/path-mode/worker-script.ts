/**
 * The one kind of script that is rewritten: that of a service worker. It begins with the shim, which no document brings it, and its
 * absolute literals get the prefix, because it compares addresses with them.
 */
import { assetsVersion } from "../../assets.ts";
import { instanceRoutes } from "../../routes.ts";
import { missingPrefixAt, type PathPlace } from "./place.ts";

/** A literal that begins like an address, and what stands before it. */
const LITERAL = /(["'`])(?=\/|https?:)/g;
/** There a slash alone is a separator, and a text that begins with one is the end of another. */
const NOT_AN_ADDRESS =
  /(?:\.\s*(?:split|join|endsWith|indexOf|lastIndexOf|includes|concat|replace|replaceAll)\s*\(|\+)\s*$/;
const BEFORE = 40;

/** The script with addresses and caches of path mode. */
export function placedWorkerScript(text: string, place: PathPlace): string {
  let [placedText, from] = ["", 0];
  for (const match of text.matchAll(LITERAL)) {
    const at = match.index + 1;
    const missing = missingPrefixAt(
      text.slice(at, at + place.origin.length + place.prefix.length + 2),
      place,
    );
    if (
      missing === undefined ||
      NOT_AN_ADDRESS.test(text.slice(Math.max(0, match.index - BEFORE), match.index))
    )
      continue;
    placedText += text.slice(from, at + missing) + place.prefix;
    from = at + missing;
  }
  return prelude(place) + placedText + text.slice(from);
}

/**
 * A worker that is a module can import nothing like this: it has no shim, and only its caches are its own, under the names that the shim
 * gives them. An application that tidies up deletes every cache it does not know.
 */
function prelude({ prefix }: PathPlace): string {
  const shim = JSON.stringify(`${prefix}${instanceRoutes.shim}?v=${assetsVersion}`);
  return `try{importScripts(${shim})}catch{(()=>{const p=${JSON.stringify(`${prefix}|`)},c=self.caches;if(!c||c.orchestrated)return;
const own=async()=>(await c.keys()).filter((n)=>n.startsWith(p));
const kept={orchestrated:true,open:(n)=>c.open(p+n),has:(n)=>c.has(p+n),delete:(n)=>c.delete(p+n),
keys:async()=>(await own()).map((n)=>n.slice(p.length)),
match:async(r,o)=>{if(o&&o.cacheName!==undefined)return c.match(r,{...o,cacheName:p+o.cacheName});
for(const n of await own()){const f=await(await c.open(n)).match(r,o);if(f)return f}}};
Object.defineProperty(self,"caches",{configurable:true,value:kept})})()}
`;
}
