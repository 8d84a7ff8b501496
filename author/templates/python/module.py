"""Marks every message with the name of this site, which is the module's `args`."""

from sandgate import GatewayModule, Refusal, component, publish


class {{Name}}(GatewayModule):
    def create(self, configuration):
        if not isinstance(configuration, str):
            raise Refusal('args: write the name of the site, for example "lab"')
        self.site = configuration

    def receive(self, message, delivery):
        message.properties["site"] = self.site
        publish(message)


Module, _ = component({{Name}})
