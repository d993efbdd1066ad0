import type { InstanceAction } from "../contracts.ts";
import { instanceTitle, MAX_NAME_LENGTH, type Instance } from "../instance.ts";
import { INSTANCE_ACTIONS, possibleActions } from "./instance-actions.ts";

const FORGET_QUESTION =
  "Its name and place are forgotten; its activity stays. If its connector still runs it appears again.";

interface ActionFormsProps {
  instance: Instance;
  /** True where a push shows what becomes of it, so that the page need not be loaded again. */
  isLive?: boolean;
}

/** What can be done to an instance now. */
export function ActionForms({ instance, isLive = false }: ActionFormsProps) {
  const actions = possibleActions(instance);
  return (
    <div class="actions">
      {actions.map((action) => (
        <ActionForm action={action} instance={instance} isLive={isLive} />
      ))}
    </div>
  );
}

interface ActionFormProps {
  action: InstanceAction["action"];
  instance: Instance;
  isLive: boolean;
}

function ActionForm({ action, instance, isLive }: ActionFormProps) {
  const { words, path, pending } = INSTANCE_ACTIONS[action];
  const url = path(instance.label);
  const live = isLive ? { "hx-post": url, "hx-swap": "none" } : {};
  const question = action === "forget" ? `Forget ${instanceTitle(instance)}? ${FORGET_QUESTION}` : undefined;
  return (
    <form
      class={action === "rename" ? "inline-form" : undefined}
      method="post"
      action={url}
      data-action={action}
      data-pending={pending}
      data-confirm={question}
      {...live}
    >
      {action === "rename" && <NameField instance={instance} />}
      <button class={action === "forget" ? "plain danger" : "button"} type="submit">
        {words}
      </button>
    </form>
  );
}

function NameField({ instance }: { instance: Instance }) {
  const id = `name-${instance.label}`;
  return (
    <>
      <label class="visually-hidden" for={id}>
        Name
      </label>
      <input
        id={id}
        name="name"
        maxlength={MAX_NAME_LENGTH}
        autocomplete="off"
        value={instance.name}
        placeholder={instanceTitle({ ...instance, name: "" })}
      />
    </>
  );
}
