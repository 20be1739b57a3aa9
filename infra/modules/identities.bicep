import { Names } from 'names.bicep'
import { Principals, Tags } from 'types.bicep'

param names Names
param location string
param tags Tags

resource gateway 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: names.gatewayIdentity
  location: location
  tags: tags
}

resource worker 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: names.workerIdentity
  location: location
  tags: tags
}

// Pulls images and looks at the length of queues. No container gets its tokens.
resource platform 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: names.platformIdentity
  location: location
  tags: tags
}

output principals Principals = {
  gateway: gateway.properties.principalId
  worker: worker.properties.principalId
  platform: platform.properties.principalId
}
