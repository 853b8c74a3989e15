"""The approval page: where a person reads a plan and answers it, in a browser, with the approver's PIN."""
