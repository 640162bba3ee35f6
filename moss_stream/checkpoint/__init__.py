"""From files to parameters: configs that are checked, and plans that name each tensor."""
