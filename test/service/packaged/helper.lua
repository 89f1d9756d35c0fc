---A module that only the service in this folder finds.
return { name = "helper of the package" }
