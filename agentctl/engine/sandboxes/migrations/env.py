"""What Alembic runs to migrate, on the connection that `migration` hands it."""

from alembic import context

from agentctl.engine.sandboxes.migration import VERSION_TABLE
from agentctl.engine.sandboxes.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
